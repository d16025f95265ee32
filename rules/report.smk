# One page that tells of the whole run: numbers, tables, figures, data sets.
localrules:
    write_report,


rule write_report:
    input:
        f"{RESULTS}/provenance.json",
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../envs/learning.yaml"
    params:
        results=folder,
    message:
        "Write the report"
    shell:
        "python -m partimento report --results={params.results:q} --out {output:q} 2> {log:q}"
