# Join the tables into what training reads, and count what is in them and what was left out.


rule shard:
    input:
        pieces=f"{DATA}/pieces/{{batch}}.parquet",
        staves=f"{DATA}/staves/{{batch}}.parquet",
        noteheads=f"{DATA}/noteheads/{{batch}}.parquet",
        notes=f"{DATA}/notes/{{batch}}.parquet",
        features=f"{DATA}/features/{{font}}/{{rho}}/{{batch}}.parquet",
    output:
        expand(
            f"{DATA}/shards/{{split}}/{{{{font}}}}-{{{{rho}}}}-{{{{batch}}}}.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
    log:
        f"{LOGS}/shard/{{font}}-{{rho}}-{{batch}}.log",
    benchmark:
        f"{LOGS}/shard/{{font}}-{{rho}}-{{batch}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1000,  # the small tables of a batch, and eight spectrograms
    params:
        out=lambda wildcards, output: flags(out=dict(zip(SPLITS, output))),
    shell:
        "python -m pipeline shard --pieces {input.pieces} --staves {input.staves}"
        " --noteheads {input.noteheads} --notes {input.notes} --features {input.features}"
        " {params.out} 2> {log}"


rule card:
    input:
        pieces=of_batches(f"{DATA}/pieces/{{batch}}.parquet"),
        engraved=of_batches(f"{DATA}/engraved/{{batch}}.parquet"),
        performances=of_batches(
            f"{DATA}/performances/{{font}}/{{rho}}/{{batch}}.parquet"
        ),
        train=shards_of("train"),
        valid=shards_of("valid"),
        test=shards_of("test"),
    output:
        f"{DATA}/README.md",
    log:
        f"{LOGS}/card.log",
    conda:
        "../envs/data.yaml"
    params:
        flags=lambda wildcards, input: flags(
            pieces=list(input.pieces),
            engraved=list(input.engraved),
            performances=list(input.performances),
            shards=[*input.train, *input.valid, *input.test],
            max_failures=config["max_failures"],
            name=wildcards.collection,
        ),
    shell:
        "python -m pipeline card {params.flags} --out {output} 2> {log}"
