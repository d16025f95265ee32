# Choose pieces: melodies of the wanted note values and whole scores, each with its split.
import functools

from pipeline.planning import source_files

PIECES_PER_CHUNK = 1_000  # five minutes of tunes, but hours of piano works


@functools.cache
def sources_by_chunk(collection):
    """The files that the jobs of a collection read, by chunk."""
    try:
        return source_files.by_chunk(
            config["collections"][collection], config["downloads"]
        )
    except (ValueError, OSError) as error:
        raise WorkflowError(f"collections.{collection}.source: {error}")


@functools.cache
def source_state(collection, chunk):
    """What a job reruns for: other files of its own, or another edition of what is fetched."""
    source = config["collections"][collection]["source"]
    if catalogue.entry_of(source):
        return source_files.expected(source)
    return source_files.state(sources_by_chunk(collection)[chunk])


def shares(wildcards):
    """Params function: shares of splits to draw by piece; nothing for the source's own splits."""
    split = config["collections"][wildcards.collection]["split"]
    return option("shares", None if split == "source" else split)


def if_given(name):
    """Params function: an option for a setting that a collection may lack."""
    return lambda wildcards: option(
        name, config["collections"][wildcards.collection].get(name)
    )


# Say at once if there are no pieces; but a job of a cluster, which reads this too, lists no sources.
if workflow.is_main_process:
    for name in config["collections"]:
        most = max(map(len, sources_by_chunk(name)))
        if most > PIECES_PER_CHUNK:
            print(
                f"collections.{name}: {most:,} files in one chunk; with more `chunks` more jobs run"
                " side by side, in less memory, and a kill costs less",
                file=sys.stderr,
            )


# Files of one's own are no inputs: Snakemake would look at each of them whenever a job ends, and their
# names and times may be anything. Which they are, and in which state, is in the job's parameters.
rule select:
    input:
        lambda wildcards: source_files.fetched(
            config["collections"][wildcards.collection]["source"], config["downloads"]
        ),
    output:
        f"{DATA}/pieces/{{chunk}}.parquet",
    log:
        f"{LOGS}/select/{{chunk}}.log",
    benchmark:
        f"{LOGS}/select/{{chunk}}.tsv"
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
        shares=shares,
        splits=lambda wildcards: PLAN.splits(wildcards.collection),
        durations=if_given("durations"),
        tempo=if_given("tempo"),
        seed=config["seed"],
        unconfined=config["unconfined"],
        state=lambda wildcards: source_state(wildcards.collection, int(wildcards.chunk)),
    shell:
        "python -m pipeline select --collection {wildcards.collection:q} --chunk {wildcards.chunk:q}"
        " --chunks {params.chunks:q} --source={params.source:q} --downloads {params.downloads:q}"
        " --layout {params.layout:q} --fraction {params.fraction:q} {params.shares:q}"
        " --splits {params.splits:q} {params.durations:q} {params.tempo:q}"
        " --seed {params.seed:q} --unconfined {params.unconfined:q} --out {output:q} 2> {log:q}"
