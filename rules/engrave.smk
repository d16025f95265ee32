# One LilyPond compile a piece: images, noteheads, sounding notes, and the link between them.


rule engrave:
    input:
        f"{DATA}/pieces/{{batch}}.parquet",
    output:
        images=f"{DATA}/images/{{batch}}.parquet",
        systems=f"{DATA}/systems/{{batch}}.parquet",
        noteheads=f"{DATA}/noteheads/{{batch}}.parquet",
        notes=f"{DATA}/notes/{{batch}}.parquet",
        engraved=f"{DATA}/engraved/{{batch}}.parquet",
    log:
        f"{LOGS}/engrave/{{batch}}.log",
    benchmark:
        f"{LOGS}/engrave/{{batch}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2500),  # LilyPond needs 300 for a tune, up to 1,500 for a book; Python the rest
        runtime=minutes(120),  # 10 min for 29 piano pieces, the longest took 3
    params:
        flags=engrave_flags,
    shell:
        "python -m pipeline engrave --pieces {input} {params.flags} --images {output.images}"
        " --systems {output.systems} --noteheads {output.noteheads} --notes {output.notes}"
        " --engraved {output.engraved} 2> {log}"
