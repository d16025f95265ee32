# Join the tables into what training reads.


rule shard:
    input:
        pieces=f"{DATA}/pieces/{{chunk}}.parquet",
        images=f"{DATA}/images/{{chunk}}.parquet",
        systems=f"{DATA}/systems/{{chunk}}.parquet",
        noteheads=f"{DATA}/noteheads/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
        performances=f"{DATA}/performances/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
        features=f"{DATA}/features/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
        shared_works=lambda wildcards: PLAN.shared_works(wildcards.collection),
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
    priority: PRIORITY["shard"]
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1000, 2),  # the tables of a chunk, and eight spectrograms; 430 measured
        runtime=minutes(30),  # 4 s for 29 piano pieces
    params:
        layout=of_collection("layout"),
        shared_works=lambda wildcards, input: option(
            PLAN.use_of_shared_works(wildcards.collection),
            next(iter(input.shared_works), None),
        ),
        out=lambda wildcards, output: text(dict(zip(SPLITS, output))),
    message:
        "Write shards of {wildcards.collection}, {wildcards.font}, tempo {wildcards.tempo_ratio}, chunk {wildcards.chunk}"
    shell:
        "python -m partimento shard --pieces {input.pieces:q} --images {input.images:q}"
        " --systems {input.systems:q} --noteheads {input.noteheads:q} --notes {input.notes:q}"
        " --performances {input.performances:q} --features {input.features:q} --layout {params.layout:q}"
        " {params.shared_works:q} --out {params.out:q} 2> {log:q}"
