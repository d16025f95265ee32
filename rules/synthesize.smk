# Play the notes with one sound font at one tempo ratio, or one drawn from a range for each piece, or
# as people did. A new font, ratio or room enters here.
KEEP = (lambda path: path) if config["performances"]["keep_audio"] else temp


rule synthesize:
    input:
        lambda wildcards: PLAN.font_archives(wildcards.font),
        pieces=f"{DATA}/pieces/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
        noteheads=lambda wildcards: PLAN.noteheads(
            wildcards.collection, wildcards.chunk, wildcards.tempo_ratio
        ),
    output:
        audio=KEEP(directory(f"{DATA}/audio/{{font}}/{{tempo_ratio}}/{{chunk}}")),
        performances=f"{DATA}/performances/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
    log:
        f"{LOGS}/synthesize/{{font}}-{{tempo_ratio}}-{{chunk}}.log",
    benchmark:
        f"{LOGS}/synthesize/{{font}}-{{tempo_ratio}}-{{chunk}}.tsv"
    wildcard_constraints:
        tempo_ratio=SYNTHESIZED,  # what recordings have is made by another rule
    priority: PRIORITY["synthesize"]
    conda:
        "../envs/data.yaml"
    resources:
        # the font's samples, and one recording; measured: 400, and 2,100 for half an hour in a room
        mem_mb=memory(2500),
        runtime=minutes(120),  # of sound, some 60 times as fast as it plays
    params:
        splits=lambda wildcards: PLAN.played_splits(wildcards.font),
        font_file=lambda wildcards: PLAN.font_file(wildcards.font),
        bank=lambda wildcards: config["fonts"][wildcards.font]["bank"],
        preset=lambda wildcards: config["fonts"][wildcards.font]["preset"],
        instruments=if_given("instruments"),
        noteheads=lambda wildcards, input: option(
            "noteheads", next(iter(input.noteheads), None)
        ),
        playing=lambda wildcards: PLAN.playing(wildcards.font),
        seed=config["seed"],
        loudness_db=option("loudness_db", config["performances"]["loudness_db"]),
        state=lambda wildcards: PLAN.font_state(wildcards.font),
    message:
        "Play {wildcards.collection} with {wildcards.font}, tempo {wildcards.tempo_ratio}, chunk {wildcards.chunk}"
    shell:
        "python -m partimento synthesize --pieces {input.pieces:q} --notes {input.notes:q}"
        " --splits {params.splits:q} --font {wildcards.font:q} --font_file={params.font_file:q}"
        " --bank {params.bank:q} --preset {params.preset:q} --tempo_ratio {wildcards.tempo_ratio:q}"
        " {params.instruments:q} {params.noteheads:q} {params.playing:q} --seed {params.seed:q} {params.loudness_db:q} --audio {output.audio:q}"
        " --out {output.performances:q} 2> {log:q}"
