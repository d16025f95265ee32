# Archives, lists and sound fonts from a mirror or their URL, checked against the digest in
# pipeline/reading/catalogue.yaml.


localrules:
    fetch,


rule fetch:
    output:
        f"{config['downloads']}/{{file}}",
    log:
        f"{RESULTS}/logs/fetch/{{file}}.log",
    wildcard_constraints:
        file="|".join(FETCHED).replace(".", r"\."),
    conda:
        "../envs/data.yaml"
    params:
        name=lambda wildcards: FETCHED[wildcards.file],
    shell:
        "python -m pipeline fetch --name {params.name} --path {output} 2> {log}"
