# One LilyPond compile a piece: staff images, noteheads, sounding notes, and the link between them.


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
        mem_mb=1000,  # LilyPond needs some 300 MB for a tune, Python as much for the batch
    shell:
        "python -m pipeline engrave --pieces {input} --images {output.images}"
        " --systems {output.systems} --noteheads {output.noteheads} --notes {output.notes} --engraved {output.engraved}"
        " 2> {log}"
