# Choose pieces: melodies of the wanted note values and whole scores, each with its split.


rule select:
    input:
        lambda wildcards: sources_of(wildcards.collection, int(wildcards.chunk)),
    output:
        f"{DATA}/pieces/{{chunk}}.parquet",
    log:
        f"{LOGS}/select/{{chunk}}.log",
    benchmark:
        f"{LOGS}/select/{{chunk}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1000),  # music21 holds its parsed works; 200 measured
        runtime=minutes(30),  # 32 s for 29 piano pieces
    params:
        flags=select_flags,
        sources=lambda wildcards: sources_known(
            wildcards.collection, int(wildcards.chunk)
        ),
    shell:
        "python -m pipeline select --collection {wildcards.collection} --chunk {wildcards.chunk}"
        " {params.flags} --out {output} 2> {log}"
