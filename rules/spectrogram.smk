# Spectrograms of the recordings.


rule spectrogram:
    input:
        performances=f"{DATA}/performances/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
        audio=f"{DATA}/audio/{{font}}/{{tempo_ratio}}/{{chunk}}",
    output:
        f"{DATA}/features/{{font}}/{{tempo_ratio}}/{{chunk}}.parquet",
    log:
        f"{LOGS}/spectrogram/{{font}}-{{tempo_ratio}}-{{chunk}}.log",
    benchmark:
        f"{LOGS}/spectrogram/{{font}}-{{tempo_ratio}}-{{chunk}}.tsv"
    priority: PRIORITY["spectrogram"]
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1500),  # one recording of up to an hour as samples; 500 measured
        runtime=minutes(30),  # 10 s for 29 piano pieces
    params:
        settings=of_collection("spectrogram"),
    message:
        "Analyse sound of {wildcards.collection}, {wildcards.font}, tempo {wildcards.tempo_ratio}, chunk {wildcards.chunk}"
    shell:
        "python -m partimento spectrogram --performances {input.performances:q}"
        " --audio {input.audio:q} --settings {params.settings:q} --out {output:q} 2> {log:q}"
