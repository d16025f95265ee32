# Archives from a mirror or their URL, checked against the digest in pipeline/sources.yaml.


localrules:
    fetch,


rule fetch:
    output:
        f"{config['downloads']}/{{name}}.zip",
    log:
        f"{RESULTS}/logs/fetch/{{name}}.log",
    conda:
        "../envs/data.yaml"
    shell:
        "python -m pipeline fetch --name {wildcards.name} --path {output} 2> {log}"
