# The data-set card and its Croissant description: what is in a collection, and what was left out.

MSMD = [
    name
    for name, settings in config["collections"].items()
    if settings["source"] == "msmd"
]
MSMD_COUNTS = sources.archive("msmd-counts", config["downloads"]) if MSMD else []


def beside(wildcards):
    """Input function: what the card of a collection takes in besides."""
    name = wildcards.collection
    return [f"{RESULTS}/tables/{name}_counts.md"] if name in MSMD else []


rule card:
    input:
        pieces=of_batches(f"{DATA}/pieces/{{batch}}.parquet"),
        engraved=of_batches(f"{DATA}/engraved/{{batch}}.parquet"),
        notes=of_batches(f"{DATA}/notes/{{batch}}.parquet"),
        performances=of_batches(
            f"{DATA}/performances/{{font}}/{{rho}}/{{batch}}.parquet"
        ),
        shards=lambda wildcards: [
            path for split in SPLITS for path in shards_of(split)(wildcards)
        ],
        beside=beside,
    output:
        card=f"{DATA}/README.md",
        croissant=f"{DATA}/croissant.json",
    log:
        f"{LOGS}/card.log",
    conda:
        "../envs/data.yaml"
    params:
        flags=lambda wildcards, input: flags(
            pieces=list(input.pieces),
            engraved=list(input.engraved),
            notes=list(input.notes),
            performances=list(input.performances),
            shards=list(input.shards),
            layout=config["collections"][wildcards.collection]["layout"],
            max_failures=config["max_failures"],
            name=wildcards.collection,
            beside=str(input.beside) or None,
        ),
    shell:
        "python -m pipeline card {params.flags} --out {output.card}"
        " --croissant_out {output.croissant} 2> {log}"


rule msmd_counts:
    input:
        pieces=of_batches(f"{DATA}/pieces/{{batch}}.parquet"),
        engraved=of_batches(f"{DATA}/engraved/{{batch}}.parquet"),
        notes=of_batches(f"{DATA}/notes/{{batch}}.parquet"),
        counts=MSMD_COUNTS,
    output:
        multiext(f"{RESULTS}/tables/{{collection}}_counts", ".md", ".csv"),
    log:
        f"{LOGS}/msmd_counts.log",
    conda:
        "../envs/data.yaml"
    params:
        stem=stem,
        flags=lambda wildcards, input: flags(
            pieces=list(input.pieces),
            engraved=list(input.engraved),
            notes=list(input.notes),
            name=wildcards.collection,
        ),
    shell:
        "python -m pipeline msmd_counts {params.flags} --counts {input.counts}"
        " --out_stem {params.stem} 2> {log}"
