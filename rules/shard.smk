# Join the tables into what training reads.


rule shard:
    input:
        pieces=f"{DATA}/pieces/{{chunk}}.parquet",
        images=f"{DATA}/images/{{chunk}}.parquet",
        systems=f"{DATA}/systems/{{chunk}}.parquet",
        noteheads=f"{DATA}/noteheads/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
        features=f"{DATA}/features/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
    output:
        expand(
            f"{DATA}/shards/{{split}}/{{{{font}}}}-{{{{tempo_ratio}}}}-{{{{chunk}}}}.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
    log:
        f"{LOGS}/shard/{{font}}-{{tempo_ratio}}-{{chunk}}.log",
    benchmark:
        f"{LOGS}/shard/{{font}}-{{tempo_ratio}}-{{chunk}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1000, 2),  # the tables of a chunk, and eight spectrograms; 430 measured
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
