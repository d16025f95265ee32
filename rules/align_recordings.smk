# Align recordings of people with their scores: performances with a real sound.


rule align_recordings:
    input:
        pieces=f"{DATA}/pieces/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
        noteheads=f"{DATA}/noteheads/{{chunk}}.parquet",
    output:
        audio=KEEP(directory(f"{DATA}/audio/{RECORDINGS}/{RECORDED}/{{chunk}}")),
        performances=f"{DATA}/performances/{RECORDINGS}/{RECORDED}/{{chunk}}.parquet",
    log:
        f"{LOGS}/align_recordings/{{chunk}}.log",
    benchmark:
        f"{LOGS}/align_recordings/{{chunk}}.tsv"
    conda:
        "../envs/learning.yaml"
    resources:
        mem_mb=memory(4000),  # a recording of up to an hour and a half, its features, and the search
        runtime=minutes(240),  # an hour of music takes some five minutes
    params:
        recordings=of_collection("recordings"),
        least_sureness=if_given("least_sureness"),
        loudness_db=option("loudness_db", config["performances"]["loudness_db"]),
        state=lambda wildcards: PLAN.recordings_state(
            wildcards.collection, int(wildcards.chunk)
        ),
    message:
        "Align recordings of {wildcards.collection}, chunk {wildcards.chunk}"
    shell:
        "python -m partimento align-recordings --recordings={params.recordings:q}"
        " --pieces {input.pieces:q} --notes {input.notes:q} --noteheads {input.noteheads:q}"
        " {params.least_sureness:q} {params.loudness_db:q} --audio {output.audio:q}"
        " --out {output.performances:q} 2> {log:q}"
