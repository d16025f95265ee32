# Where the results come from, with a digest of each file; of the data half by itself, too.


# In order of name: the settings of two config files are the same where they say the same.
SETTINGS = json.loads(json.dumps(config, sort_keys=True))


localrules:
    data_provenance,
    provenance,


rule data_provenance:
    input:
        CARDS,
        [data_files(collection) for collection in config["collections"]],
        ARCHIVES,  # it has their digests: one that was lost is fetched again
    output:
        f"{RESULTS}/data/provenance.json",
    log:
        f"{RESULTS}/logs/data_provenance.log",
    conda:
        "../envs/data.yaml"
    params:
        flags=flags(settings=SETTINGS, folders=["data"]),
    shell:
        "python -m pipeline provenance {params.flags} --out {output} 2> {log}"


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
        flags=lambda wildcards, input: flags(
            settings=SETTINGS,
            folders=["models", "predictions", "tables", "figures"],
            beside=[input.data],
        ),
    shell:
        "python -m pipeline provenance {params.flags} --out {output} 2> {log}"
