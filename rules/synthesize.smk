# Play the notes with one sound font at one tempo ratio, or one drawn from a range for each piece. A
# new font or ratio enters here.


rule synthesize:
    input:
        pieces=f"{DATA}/pieces/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
        font=lambda wildcards: FONT_FILES[wildcards.font],
    output:
        audio=KEEP(directory(f"{DATA}/audio/{{font}}/{{tempo_ratio}}/{{chunk}}")),
        performances=f"{DATA}/performances/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
    log:
        f"{LOGS}/synthesize/{{font}}-{{tempo_ratio}}-{{chunk}}.log",
    benchmark:
        f"{LOGS}/synthesize/{{font}}-{{tempo_ratio}}-{{chunk}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1500),  # the font's samples, and one recording of up to an hour; 400 measured
        runtime=minutes(120),  # of sound, some 60 times as fast as it plays
    params:
        flags=lambda wildcards: flags(
            splits=PLAYED_SPLITS[wildcards.font],
            font=wildcards.font,
            font_file=FONT_NAMES[wildcards.font],
            bank=config["fonts"][wildcards.font].get("bank", 0),
            preset=config["fonts"][wildcards.font].get("preset", 0),
            tempo_ratio=wildcards.tempo_ratio,
            seed=config["seed"],
            loudness_db=config["performances"]["loudness_db"],
        ),
    shell:
        "python -m pipeline synthesize --pieces {input.pieces} --notes {input.notes} {params.flags}"
        " --audio {output.audio} --out {output.performances} 2> {log}"
