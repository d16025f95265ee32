# Where the results come from, with a digest of each file; of the data half by itself, too.
import json

# In order of name: the settings of two config files are the same if they say the same.
SETTINGS = json.dumps(config, sort_keys=True)


localrules:
    data_provenance,
    provenance,


rule data_provenance:
    input:
        CARDS,
        SCANS,
        [PLAN.data_files(collection) for collection in config["collections"]],
        PLAN.archives(),  # it has their digests
    output:
        f"{RESULTS}/data/provenance.json",
    log:
        f"{RESULTS}/logs/data_provenance.log",
    conda:
        "../envs/data.yaml"
    params:
        settings=lambda wildcards: SETTINGS,  # a function: braces are text in what it gives
        folders=["data"],
    message:
        "Record what the data come from"
    shell:
        "python -m partimento provenance --settings {params.settings:q} --folders {params.folders:q}"
        " --out {output:q} 2> {log:q}"


rule provenance:
    input:
        FOLLOWING_FILES,
        RETRIEVAL_FILES,
        data=f"{RESULTS}/data/provenance.json",
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/provenance.log",
    conda:
        "../envs/data.yaml"
    params:
        settings=lambda wildcards: SETTINGS,  # a function: braces are text in what it gives
        folders=["models", "predictions", "tables", "figures"],
    message:
        "Record what the results come from"
    shell:
        "python -m partimento provenance --settings {params.settings:q} --folders {params.folders:q}"
        " --beside {input.data:q} --out {output:q} 2> {log:q}"
