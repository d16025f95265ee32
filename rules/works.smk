# Of a collection that trains on its extra pieces: those that share a work with held-out ones.


rule works:
    input:
        pieces=of_chunks(f"{DATA}/pieces/{{chunk}}.parquet"),
        notes=of_chunks(f"{DATA}/notes/{{chunk}}.parquet"),
    output:
        f"{DATA}/shared_works.parquet",
    log:
        f"{LOGS}/works.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1500),  # the melodies of all pieces; 330 measured for 697
        runtime=minutes(30),
    message:
        "Find works that pieces of {wildcards.collection} share"
    shell:
        "python -m partimento works --pieces {input.pieces:q} --notes {input.notes:q}"
        " --out {output:q} 2> {log:q}"
