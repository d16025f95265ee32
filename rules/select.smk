# Choose pieces: melodies of the wanted note values, each with its split and its score.


def source_files(wildcards):
    """The archive of a source, or those of one's own files that belong to the batch."""
    settings = config["collections"][wildcards.collection]
    try:
        return sources.files(
            settings["source"],
            config["downloads"],
            lambda name: select.batch_of(name, settings["batches"])
            == int(wildcards.batch),
        )
    except ValueError as error:
        raise WorkflowError(f"collections.{wildcards.collection}.source: {error}")


def select_flags(wildcards):
    settings = config["collections"][wildcards.collection]
    archive = sources.archive(settings["source"], config["downloads"])
    return flags(
        source=settings["source"],
        archive=archive and str(archive),
        batches=settings["batches"],
        take=settings["take"],
        shares=None if settings["split"] == "source" else settings["split"],
        durations=settings["durations"],
        tempo=settings["tempo"],
        seed=config["seed"],
    )


rule select:
    input:
        source_files,
    output:
        f"{DATA}/pieces/{{batch}}.parquet",
    log:
        f"{LOGS}/select/{{batch}}.log",
    benchmark:
        f"{LOGS}/select/{{batch}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1000,  # music21 holds its parsed works
    params:
        flags=select_flags,
    shell:
        "python -m pipeline select --collection {wildcards.collection} --batch {wildcards.batch}"
        " {params.flags} --out {output} 2> {log}"
