# Play the notes with one sound font at one tempo ratio. A new font or ratio enters here.


rule synthesize:
    input:
        notes=f"{DATA}/notes/{{batch}}.parquet",
        font=lambda wildcards: FONT_FILES[wildcards.font],
    output:
        audio=KEEP(directory(f"{DATA}/audio/{{font}}/{{rho}}/{{batch}}")),
        performances=f"{DATA}/performances/{{font}}/{{rho}}/{{batch}}.parquet",
    log:
        f"{LOGS}/synthesize/{{font}}-{{rho}}-{{batch}}.log",
    benchmark:
        f"{LOGS}/synthesize/{{font}}-{{rho}}-{{batch}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1500,  # the font's samples, and one recording of up to an hour
    params:
        flags=lambda wildcards: flags(
            font=wildcards.font,
            font_file=config["fonts"][wildcards.font]["file"],
            bank=config["fonts"][wildcards.font].get("bank", 0),
            preset=config["fonts"][wildcards.font].get("preset", 0),
            rho=float(wildcards.rho),
            loudness_db=config["performances"]["loudness_db"],
        ),
    shell:
        "python -m pipeline synthesize --notes {input.notes} {params.flags}"
        " --audio {output.audio} --out {output.performances} 2> {log}"
