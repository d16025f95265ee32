# The data-set card and its Croissant description: what is in a collection, and what was left out.
MSMD = [
    name
    for name, collection in config["collections"].items()
    if collection["source"] == "msmd"
]
MSMD_COUNTS = catalogue.archive("msmd-counts", config["downloads"]) if MSMD else []
CARDS = expand(f"{DATA}/README.md", collection=config["collections"])

# Collections of whose looks some degrade pages as a copier or a phone does.
SCANS = expand(
    f"{DATA}/scans.png", collection=filter(PLAN.is_scanned, config["collections"])
)


rule card:
    input:
        pieces=of_chunks(f"{DATA}/pieces/{{chunk}}.parquet"),
        engraved=of_chunks(f"{DATA}/engraved/{{chunk}}.parquet"),
        notes=of_chunks(f"{DATA}/notes/{{chunk}}.parquet"),
        performances=of_chunks(
            f"{DATA}/performances/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet"
        ),
        shards=lambda wildcards: [
            path
            for split in SPLITS
            for path in PLAN.shards(wildcards.collection, split)
        ],
        beside=lambda wildcards: expand(
            f"{RESULTS}/tables/{{name}}_counts.md",
            name=[name for name in MSMD if name == wildcards.collection],
        ),
    output:
        card=report(f"{DATA}/README.md", caption="captions/card.rst", category="Data"),
        croissant=f"{DATA}/croissant.json",
    log:
        f"{LOGS}/card.log",
    conda:
        "../envs/data.yaml"
    params:
        layout=of_collection("layout"),
        max_failures=config["max_failures"],
        beside=lambda wildcards, input: option("beside", next(iter(input.beside), None)),
    message:
        "Describe the data set {wildcards.collection}"
    shell:
        "python -m partimento card --pieces {input.pieces:q} --engraved {input.engraved:q}"
        " --notes {input.notes:q} --performances {input.performances:q} --shards {input.shards:q}"
        " --layout {params.layout:q} --max_failures {params.max_failures:q}"
        " --name {wildcards.collection:q} {params.beside:q} --out {output.card:q}"
        " --croissant_out {output.croissant:q} 2> {log:q}"


rule msmd_counts:
    input:
        pieces=of_chunks(f"{DATA}/pieces/{{chunk}}.parquet"),
        engraved=of_chunks(f"{DATA}/engraved/{{chunk}}.parquet"),
        notes=of_chunks(f"{DATA}/notes/{{chunk}}.parquet"),
        counts=MSMD_COUNTS,
    output:
        report(
            f"{RESULTS}/tables/{{collection}}_counts.md",
            caption="captions/msmd_counts.rst",
            category="Data",
        ),
        f"{RESULTS}/tables/{{collection}}_counts.csv",
    log:
        f"{LOGS}/msmd_counts.log",
    conda:
        "../envs/data.yaml"
    params:
        stem=stem,
    message:
        "Compare the counts of {wildcards.collection} with MSMD's"
    shell:
        "python -m partimento msmd_counts --pieces {input.pieces:q} --engraved {input.engraved:q}"
        " --notes {input.notes:q} --name {wildcards.collection:q} --counts {input.counts:q}"
        " --out_stem {params.stem:q} 2> {log:q}"


rule scans:
    input:
        of_chunks(f"{DATA}/pieces/{{chunk}}.parquet"),
    output:
        report(f"{DATA}/scans.png", caption="captions/scans.rst", category="Data"),
    log:
        f"{LOGS}/scans.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2500),
    params:
        repeats=of_collection("repeats"),
        looks=if_given("looks"),
        parts=if_given("parts"),
        seed=config["seed"],
        unconfined=config["unconfined"],
    message:
        "Draw a page of {wildcards.collection} and its scan"
    shell:
        "python -m partimento scans --pieces {input:q} --repeats {params.repeats:q}"
        " {params.looks:q} {params.parts:q} --seed {params.seed:q}"
        " --unconfined {params.unconfined:q} --out {output:q} 2> {log:q}"
