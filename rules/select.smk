# Choose pieces: melodies of the wanted note values and whole scores, each with its split.


rule select:
    input:
        # Not `ancient`: after a kill while it is fetched, Snakemake would fetch it and end.
        lambda wildcards: PLAN.source_archives(wildcards.collection),
    output:
        f"{DATA}/pieces/{{chunk}}.parquet",
    log:
        f"{LOGS}/select/{{chunk}}.log",
    benchmark:
        f"{LOGS}/select/{{chunk}}.tsv"
    priority: PRIORITY["select"]
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1000),  # music21 holds its parsed works; 200 measured
        runtime=minutes(30),  # 32 s for 29 piano pieces
    params:
        chunks=of_collection("chunks"),
        source=of_collection("source"),
        downloads=config["downloads"],
        layout=of_collection("layout"),
        fraction=of_collection("fraction"),
        shares=lambda wildcards: option("shares", PLAN.shares(wildcards.collection)),
        splits=lambda wildcards: PLAN.splits(wildcards.collection),
        durations=if_given("durations"),
        tempo=if_given("tempo"),
        track=if_given("track"),
        metre=if_given("metre"),
        pickup=if_given("pickup"),
        looks=if_given("looks"),
        every_look=if_given("every_look"),
        performers=if_given("performers"),
        seed=config["seed"],
        unconfined=config["unconfined"],
        state=lambda wildcards: PLAN.source_state(
            wildcards.collection, int(wildcards.chunk)
        ),
    message:
        "Choose pieces of {wildcards.collection}, chunk {wildcards.chunk}"
    shell:
        "python -m partimento select --collection {wildcards.collection:q} --chunk {wildcards.chunk:q}"
        " --chunks {params.chunks:q} --source={params.source:q} --downloads {params.downloads:q}"
        " --layout {params.layout:q} --fraction {params.fraction:q} {params.shares:q}"
        " --splits {params.splits:q} {params.durations:q} {params.tempo:q} {params.track:q}"
        " {params.metre:q} {params.pickup:q} {params.looks:q} {params.every_look:q}"
        " {params.performers:q}"
        " --seed {params.seed:q} --unconfined {params.unconfined:q} --out {output:q} 2> {log:q}"
