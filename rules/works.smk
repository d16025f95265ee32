# Pieces that share a work with held-out ones, of the same collection or of one that is kept apart.


rule works:
    input:
        pieces=of_chunks(f"{DATA}/pieces/{{chunk}}.parquet"),
        notes=of_chunks(f"{DATA}/notes/{{chunk}}.parquet"),
        held_out_pieces=lambda wildcards: PLAN.held_out(wildcards.collection, "pieces"),
        held_out_notes=lambda wildcards: PLAN.held_out(wildcards.collection, "notes"),
    output:
        f"{DATA}/shared_works.parquet",
    log:
        f"{LOGS}/works.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1500),  # the melodies of all pieces; 330 measured for 697
        runtime=minutes(30),
    params:
        held_out=lambda wildcards, input: option(
            "held_out_pieces", input.held_out_pieces
        )
        + option("held_out_notes", input.held_out_notes),
    message:
        "Find works that pieces of {wildcards.collection} share"
    shell:
        "python -m partimento works --pieces {input.pieces:q} --notes {input.notes:q}"
        " {params.held_out:q} --out {output:q} 2> {log:q}"
