# Join the tables into what training reads.


rule shard:
    input:
        pieces=f"{DATA}/pieces/{{batch}}.parquet",
        images=f"{DATA}/images/{{batch}}.parquet",
        systems=f"{DATA}/systems/{{batch}}.parquet",
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
        mem_mb=memory(1000, 2),  # the tables of a batch, and eight spectrograms; 430 measured
        runtime=minutes(30),  # 4 s for 29 piano pieces
    params:
        flags=lambda wildcards, output: flags(
            layout=config["collections"][wildcards.collection]["layout"],
            out=dict(zip(SPLITS, output)),
        ),
    shell:
        "python -m pipeline shard --pieces {input.pieces} --images {input.images}"
        " --systems {input.systems} --noteheads {input.noteheads} --notes {input.notes} --features {input.features}"
        " {params.flags} 2> {log}"
