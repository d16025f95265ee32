# Spectrograms of the recordings.


rule spectrogram:
    input:
        performances=f"{DATA}/performances/{{font}}/{{rho}}/{{batch}}.parquet",
        audio=f"{DATA}/audio/{{font}}/{{rho}}/{{batch}}",
    output:
        f"{DATA}/features/{{font}}/{{rho}}/{{batch}}.parquet",
    log:
        f"{LOGS}/spectrogram/{{font}}-{{rho}}-{{batch}}.log",
    benchmark:
        f"{LOGS}/spectrogram/{{font}}-{{rho}}-{{batch}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1500),  # one recording of up to an hour as samples; 500 measured
        runtime=minutes(30),  # 10 s for 29 piano pieces
    params:
        flags=lambda wildcards: flags(
            settings=config["collections"][wildcards.collection]["spectrogram"]
        ),
    shell:
        "python -m pipeline spectrogram --performances {input.performances}"
        " --audio {input.audio} {params.flags} --out {output}"
        " 2> {log}"
