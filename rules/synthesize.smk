# Play the notes with one sound font at one tempo ratio, or one drawn from a range for each piece. A
# new font or ratio enters here.
from pipeline.planning import source_files

KEEP = (lambda path: path) if config["performances"]["keep_audio"] else temp

try:
    FONT_FILES = {font: PLAN.font_file(font) for font in PLAN.fonts()}
except ValueError as error:
    raise WorkflowError(str(error))


def of_font(name):
    """Params function: a setting of the job's sound font, as an argument."""
    return lambda wildcards: text(config["fonts"][wildcards.font][name])


def font_inputs(wildcards):
    """Input function: the sound font, if it is fetched; one's own may have any name and time."""
    name = config["fonts"][wildcards.font]["file"]
    return FONT_FILES[wildcards.font] if catalogue.entry_of(name) else []


def font_argument(wildcards):
    """Params function: where a job finds its sound font; an image has packages in another place."""
    name = config["fonts"][wildcards.font]["file"]
    return name if catalogue.packaged(name) else FONT_FILES[wildcards.font]


def font_state(wildcards):
    """Params function: what a job reruns for, another file of a sound font of one's own."""
    name = config["fonts"][wildcards.font]["file"]
    if catalogue.entry_of(name):
        return source_files.expected(name)
    times = not catalogue.packaged(name)
    return source_files.state([font_argument(wildcards)], times=times)


rule synthesize:
    input:
        font_inputs,
        pieces=f"{DATA}/pieces/{{chunk}}.parquet",
        notes=f"{DATA}/notes/{{chunk}}.parquet",
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
        splits=lambda wildcards: PLAN.played_splits(wildcards.font),
        font_file=font_argument,
        bank=of_font("bank"),
        preset=of_font("preset"),
        seed=config["seed"],
        loudness_db=option("loudness_db", config["performances"]["loudness_db"]),
        state=font_state,
    shell:
        "python -m pipeline synthesize --pieces {input.pieces:q} --notes {input.notes:q}"
        " --splits {params.splits:q} --font {wildcards.font:q} --font_file={params.font_file:q}"
        " --bank {params.bank:q} --preset {params.preset:q} --tempo_ratio {wildcards.tempo_ratio:q}"
        " --seed {params.seed:q} {params.loudness_db:q} --audio {output.audio:q}"
        " --out {output.performances:q} 2> {log:q}"
