# LilyPond or Verovio: images, noteheads, sounding notes, and the link between them.


rule engrave:
    input:
        f"{DATA}/pieces/{{chunk}}.parquet",
    output:
        images=f"{DATA}/images/{{chunk}}.parquet",
        systems=f"{DATA}/systems/{{chunk}}.parquet",
        noteheads=f"{DATA}/noteheads/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
        engraved=f"{DATA}/engraved/{{chunk}}.parquet",
    log:
        f"{LOGS}/engrave/{{chunk}}.log",
    benchmark:
        f"{LOGS}/engrave/{{chunk}}.tsv"
    priority: PRIORITY["engrave"]
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2500),  # LilyPond needs 300 for a tune, up to 1,500 for a book; Python the rest
        runtime=minutes(120),  # 10 min for 29 piano pieces, the longest took 3
    params:
        layout=of_collection("layout"),
        repeats=of_collection("repeats"),
        looks=if_given("looks"),
        parts=if_given("parts"),
        seed=config["seed"],
        unconfined=config["unconfined"],
    message:
        "Engrave {wildcards.collection}, chunk {wildcards.chunk}"
    shell:
        "python -m partimento engrave --pieces {input:q} --layout {params.layout:q}"
        " --repeats {params.repeats:q} {params.looks:q} {params.parts:q} --seed {params.seed:q}"
        " --unconfined {params.unconfined:q} --images {output.images:q}"
        " --systems {output.systems:q} --noteheads {output.noteheads:q} --notes {output.notes:q}"
        " --engraved {output.engraved:q} 2> {log:q}"
