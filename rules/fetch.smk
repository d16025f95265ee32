# Archives, lists and sound fonts from a mirror or their URL, checked against the digest in
# pipeline/reading/catalogue.yaml.
FETCHED = {
    catalogue.archive(name, "").name: name
    for name, entry in catalogue.catalogue().items()
    if "file" in entry
}


localrules:
    fetch,


rule fetch:
    output:
        f"{config['downloads']}/{{file}}",
    log:
        f"{RESULTS}/logs/fetch/{{file}}.log",
    wildcard_constraints:
        file="|".join(map(re.escape, FETCHED)),
    conda:
        "../envs/data.yaml"
    params:
        name=lambda wildcards: FETCHED[wildcards.file],
    message:
        "Fetch {wildcards.file}"
    shell:
        "python -m partimento fetch --name {params.name:q} --path {output:q} 2> {log:q}"
