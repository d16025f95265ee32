# The data-set card and its Croissant description: what is in a collection, and what was left out.


rule card:
    input:
        pieces=of_chunks(f"{DATA}/pieces/{{chunk}}.parquet"),
        engraved=of_chunks(f"{DATA}/engraved/{{chunk}}.parquet"),
        notes=of_chunks(f"{DATA}/notes/{{chunk}}.parquet"),
        performances=of_chunks(
            f"{DATA}/performances/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet"
        ),
        shards=lambda wildcards: [
            path for split in SPLITS for path in shards_of(split)(wildcards)
        ],
        beside=beside,
    output:
        card=report(f"{DATA}/README.md", caption="captions/card.rst", category="Data"),
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
        flags=lambda wildcards, input: flags(
            pieces=list(input.pieces),
            engraved=list(input.engraved),
            notes=list(input.notes),
            name=wildcards.collection,
        ),
    shell:
        "python -m pipeline msmd_counts {params.flags} --counts {input.counts}"
        " --out_stem {params.stem} 2> {log}"
