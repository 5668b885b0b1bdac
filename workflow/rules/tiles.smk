"""Where the patches of each slide are.

Needs   a slide, by its fingerprint
Makes   {results}/tiles/{features}/{slide}.h5
"""


rule tiles:
    input:
        ancient(drawn_slide),
    output:
        f"{RESULTS}/tiles/{{features}}/{{slide}}.h5",
    log:
        f"{RESULTS}/logs/tiles/{{features}}/{{slide}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tiles/{{features}}/{{slide}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=slide_memory(1500),
        runtime=minutes(30, rate=MAPPED),
    params:
        path=slide_path,
        slide=slide_fingerprint,
        mpp=slide_mpp,
        tiling=tiling,
        on_bad_slide=untracked(STUDY["on_bad_slide"]),
        limits=untracked(LIMITS),
        code=code("tiles.py"),
        versions=versions("openslide-bin", "tifffile", "pillow", "h5py"),
    script:
        "../scripts/tiles.py"
