"""Slides to a diagnosis: folds, and for each of them a classifier of its training rows alone; decisions and scores.

Needs   {results}/pooled/{features}/{slide}.h5 of all candidates, or {results}/features/{features}/{slide}.h5
Makes   {results}/classification/{method}/folds.tsv
        {results}/classification/{method}/{part}/fisher/mixtures.h5, training.h5 and left_out.h5, where a method asks
        {results}/classification/{method}/{part}/network.safetensors and curves.tsv, where a method trains a network
        {results}/classification/{method}/{part}/choice.json, selection.tsv and model.json; a part is fold-{k} or final
        {results}/classification/{method}/{part}/decisions.tsv, of the fold's held-out rows, or of the test rows
        {results}/classification/{method}/maps/{slide}.png, of a batch of slides, and maps.tsv, where places have weights,
        or a network is trained
        {results}/classification/{method}/heatmap/{slide}.h5, of a batch of slides, where a decision is a sum over patches
        {results}/classification/{method}/patches/{slide}.h5, of a batch of slides, where the kind scores patches
        {results}/classification/{method}/predictions.tsv and scores.json
        {results}/classification/comparison.json, where there are two methods or more
        {results}/classification/{method}/ablation/{setting}.tsv and ablation.tsv, where the config asks for it
"""


rule folds:
    output:
        LAYOUT.folds,
    log:
        LAYOUT.log("folds", "{method}"),
    wildcard_constraints:
        method=one_of(CLASSIFICATION.learning),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked(
            "folds",
            rows=CLASSIFICATION.table(CLASSIFICATION.train, "slide", "label", "patient", "fold"),
            folds=CLASSIFICATION.folds,
            seed=STUDY.seed,
        ),
    script:
        "../scripts/folds.py"


rule mixtures:
    input:
        folds=LAYOUT.folds,
        features=CLASSIFIED.features_to_encode,
    output:
        LAYOUT.mixtures,
    log:
        LAYOUT.log("mixtures", "{method}/{part}"),
    benchmark:
        LAYOUT.benchmark("mixtures", "{method}/{part}")
    wildcard_constraints:
        method=one_of(name for name in CLASSIFICATION.encoding if name in CLASSIFICATION.learning),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        mem_mb=memory(4000, a_slide=0.1),
        runtime=minutes(60, a_slide=0.1),
    params:
        tracked=tracked(
            "mixtures",
            rows=CLASSIFICATION.labelled,
            classes=CHECKED.classes,
            codebooks=CLASSIFIED.codebooks,
            inner_folds=CLASSIFIED.inner_folds,
            on_bad_slide=STUDY.on_bad_slide,
            seed=STUDY.seed,
        ),
        untracked=untracked(threads=STUDY.threads),
    script:
        "../scripts/mixtures.py"


rule encoded:
    input:
        folds=LAYOUT.folds,
        mixtures=LAYOUT.mixtures,
        features=CLASSIFIED.features_to_encode,
    output:
        LAYOUT.encoded,
    log:
        LAYOUT.log("encoded", "{method}/{part}/{rows}"),
    benchmark:
        LAYOUT.benchmark("encoded", "{method}/{part}/{rows}")
    wildcard_constraints:
        method=one_of(CLASSIFICATION.encoding),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        mem_mb=memory(4000, a_slide=0.1),
        runtime=minutes(60, a_slide=0.1),
    params:
        tracked=tracked(
            "encoded",
            codebooks=CLASSIFIED.codebooks,
            kinds=CLASSIFIED.encodings,
            test=CLASSIFIED.encoded_test,
            on_bad_slide=STUDY.on_bad_slide,
        ),
        untracked=untracked(threads=STUDY.threads),
    script:
        "../scripts/encoded.py"


rule classifier:
    input:
        folds=LAYOUT.folds,
        vectors=CLASSIFIED.learned_from,
    output:
        choice=LAYOUT.choice,
        selection=LAYOUT.selection,
        model=LAYOUT.model,
        inner=LAYOUT.inner,
    log:
        LAYOUT.log("classifier", "{method}/{part}"),
    benchmark:
        LAYOUT.benchmark("classifier", "{method}/{part}")
    wildcard_constraints:
        method=one_of(name for name in CLASSIFICATION.learning if name not in CLASSIFICATION.trained),
    conda:
        ENVIRONMENT
    threads: LEARNING.threads
    resources:
        mem_mb=memory(2000, a_slide=0.5, held=LEARNING.held),
        runtime=minutes(60, a_slide=0.1, held=LEARNING.held),
    params:
        tracked=tracked(
            "classifier",
            kind=CLASSIFIED.kind,
            rows=CLASSIFICATION.labelled,
            classes=CHECKED.classes,
            grid=CLASSIFIED.settings,
            inner_folds=CLASSIFICATION.setting("inner_folds"),
            on_bad_slide=STUDY.on_bad_slide,
            seed=STUDY.seed,
        ),
        untracked=untracked(memory=STUDY.memory, threads=LEARNING.threads),
    script:
        "../scripts/classifier.py"


rule decisions:
    input:
        folds=LAYOUT.folds,
        model=LAYOUT.model,
        vectors=CLASSIFIED.decided_on,
    output:
        LAYOUT.decisions,
    log:
        LAYOUT.log("decisions", "{method}/{part}"),
    wildcard_constraints:
        method=one_of(name for name in CLASSIFICATION.methods if name not in CLASSIFICATION.trained),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked(
            "decisions",
            kind=CLASSIFIED.kind,
            on_bad_slide=STUDY.on_bad_slide,
            test=CLASSIFIED.decided_test,
        ),
        # another kind makes another model
        untracked=untracked(kind=CLASSIFIED.kind_name),
    script:
        "../scripts/decisions.py"


rule network:
    input:
        drawn=ancient(drawn(paths(CLASSIFICATION.train))),
        folds=LAYOUT.folds,
        tiles=CLASSIFIED.tiles_learned_from,
    output:
        choice=LAYOUT.choice,
        selection=LAYOUT.selection,
        model=LAYOUT.model,
        inner=LAYOUT.inner,
        network=LAYOUT.network,
        curves=LAYOUT.curves,
    log:
        LAYOUT.log("network", "{method}/{part}"),
    benchmark:
        LAYOUT.benchmark("network", "{method}/{part}")
    wildcard_constraints:
        method=one_of(name for name in CLASSIFICATION.trained if name in CLASSIFICATION.learning),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=memory(6000, a_slide=0.2),
        runtime=LEARNING.minutes,
    params:
        tracked=tracked(
            "network",
            libraries=CLASSIFIED.libraries,
            rows=CLASSIFICATION.labelled,
            slides=SLIDES.each(CLASSIFICATION.train, DIGESTS.slide),
            classes=CHECKED.classes,
            settings=CLASSIFIED.settings,
            weights=CLASSIFIED.weights,
            on_bad_slide=STUDY.on_bad_slide,
            seed=STUDY.seed,
        ),
        untracked=untracked(
            paths=paths(CLASSIFICATION.train),
            limits=LIMITS,
            threads=STUDY.threads,
            max_unreadable=STUDY.max_unreadable,
            checkpoint=CLASSIFIED.checkpoint,
        ),
    script:
        "../scripts/network.py"


rule network_decisions:
    input:
        drawn=ancient(drawn(paths(CLASSIFIED.decided))),
        folds=LAYOUT.folds,
        model=LAYOUT.model,
        network=LAYOUT.network,
        tiles=CLASSIFIED.tiles_decided_on,
    output:
        LAYOUT.decisions,
    log:
        LAYOUT.log("network_decisions", "{method}/{part}"),
    benchmark:
        LAYOUT.benchmark("network_decisions", "{method}/{part}")
    wildcard_constraints:
        method=one_of(CLASSIFICATION.trained),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=memory(6000, a_slide=0.2),
        runtime=LEARNING.deciding_minutes,
    params:
        tracked=tracked(
            "network_decisions",
            libraries=CLASSIFIED.libraries,
            slides=SLIDES.each(CLASSIFIED.decided, DIGESTS.slide),
            on_bad_slide=STUDY.on_bad_slide,
            test=CLASSIFIED.decided_test,
        ),
        untracked=untracked(
            paths=paths(CLASSIFIED.decided),
            limits=LIMITS,
            threads=STUDY.threads,
            max_unreadable=STUDY.max_unreadable,
        ),
    script:
        "../scripts/network_decisions.py"


rule patch_scores:
    input:
        folds=LAYOUT.folds,
        features=CLASSIFIED.of_batch(LAYOUT.features),
        models=CLASSIFIED.of_parts(LAYOUT.model),
    output:
        LAYOUT.batch(LAYOUT.patch_scores),
    log:
        LAYOUT.log("patch_scores", "{method}/batch-{batch}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(15 + STUDY.batch_minutes),
    params:
        tracked=tracked_batch("patch_scores", LAYOUT.patch_scores, CLASSIFICATION.rows, kind=CLASSIFIED.kind),
        untracked=untracked(parts=CLASSIFIED.scoring_parts, kind=CLASSIFIED.kind_name),
    script:
        "../scripts/patch_scores.py"


rule heatmap:
    input:
        folds=LAYOUT.folds,
        features=CLASSIFIED.of_batch(LAYOUT.features),
        pooled=CLASSIFIED.of_batch(LAYOUT.pooled),
        models=CLASSIFIED.of_parts(LAYOUT.model),
    output:
        LAYOUT.batch(LAYOUT.heatmap),
    log:
        LAYOUT.log("heatmap", "{method}/batch-{batch}"),
    wildcard_constraints:
        method=one_of(name for name in CLASSIFICATION.methods if name not in CLASSIFICATION.trained),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(15 + STUDY.batch_minutes),
    params:
        tracked=tracked_batch("heatmap", LAYOUT.heatmap, CLASSIFICATION.rows),
        untracked=untracked(parts=CLASSIFIED.scoring_parts),
    script:
        "../scripts/heatmap.py"


rule network_heatmap:
    input:
        folds=LAYOUT.folds,
        tiles=CLASSIFIED.of_batch(LAYOUT.tiles),
        models=CLASSIFIED.of_parts(LAYOUT.model),
        networks=CLASSIFIED.of_parts(LAYOUT.network),
        drawn=ancient(drawn(paths(CLASSIFICATION.rows))),
    output:
        LAYOUT.batch(LAYOUT.heatmap),
    log:
        LAYOUT.log("network_heatmap", "{method}/batch-{batch}"),
    wildcard_constraints:
        method=one_of(CLASSIFICATION.trained),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=memory(6000),
        runtime=LEARNING.heatmap_minutes,
    params:
        tracked=tracked_batch(
            "network_heatmap",
            LAYOUT.heatmap,
            CLASSIFICATION.rows,
            own=DIGESTS.slide,
            libraries=CLASSIFIED.libraries,
        ),
        untracked=reading(
            CLASSIFICATION.rows,
            parts=CLASSIFIED.scoring_parts,
            threads=STUDY.threads,
            max_unreadable=STUDY.max_unreadable,
        ),
    script:
        "../scripts/network_heatmap.py"


rule membership:
    input:
        folds=LAYOUT.folds,
        features=CLASSIFIED.features_of_batch,
        models=CLASSIFIED.of_parts(LAYOUT.model),
        mixtures=CLASSIFIED.of_parts(LAYOUT.mixtures),
        drawn=ancient(drawn(paths(CLASSIFICATION.rows))),
    output:
        LAYOUT.batch(LAYOUT.class_maps),
    log:
        LAYOUT.log("membership", "{method}/batch-{batch}"),
    wildcard_constraints:
        method=one_of(CLASSIFICATION.encoding),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2500),
        runtime=minutes(15 + STUDY.batch_minutes),
    params:
        tracked=tracked_batch("membership", LAYOUT.class_maps, CLASSIFICATION.rows, own=CLASSIFIED.mapped_from),
        untracked=reading(
            CLASSIFICATION.rows,
            parts=CLASSIFIED.scoring_parts,
            sets=CLASSIFIED.sets_of_batch,
            masks=CLASSIFIED.masks,
        ),
    script:
        "../scripts/membership.py"


rule activation:
    input:
        folds=LAYOUT.folds,
        models=CLASSIFIED.of_parts(LAYOUT.model),
        networks=CLASSIFIED.of_parts(LAYOUT.network),
        drawn=ancient(drawn(paths(CLASSIFICATION.rows))),
    output:
        LAYOUT.batch(LAYOUT.class_maps),
    log:
        LAYOUT.log("activation", "{method}/batch-{batch}"),
    wildcard_constraints:
        method=one_of(CLASSIFICATION.trained),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=memory(4000),
        runtime=minutes(15 + STUDY.batch_minutes),
    params:
        tracked=tracked_batch(
            "activation",
            LAYOUT.class_maps,
            CLASSIFICATION.rows,
            own=CLASSIFIED.mapped_from,
            libraries=CLASSIFIED.libraries,
        ),
        untracked=reading(
            CLASSIFICATION.rows, parts=CLASSIFIED.scoring_parts, masks=CLASSIFIED.masks, threads=STUDY.threads
        ),
    script:
        "../scripts/activation.py"


rule map_scores:
    input:
        folds=LAYOUT.folds,
        maps=CLASSIFIED.of_all(LAYOUT.class_maps),
    output:
        LAYOUT.map_scores,
    log:
        LAYOUT.log("map_scores", "{method}"),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("map_scores", splits={slide: row.split for slide, row in CLASSIFICATION.rows.items()}),
    script:
        "../scripts/map_scores.py"


rule scores:
    input:
        folds=LAYOUT.folds,
        decisions=expand(LAYOUT.decisions, part=CLASSIFICATION.decided, allow_missing=True),
        inner=expand(LAYOUT.inner, part=CLASSIFICATION.parts[:-1], allow_missing=True),
    output:
        predictions=LAYOUT.predictions,
        scores=report(
            LAYOUT.scores, caption="../report/scores.rst", category="Classification", labels={"method": "{method}"}
        ),
    log:
        LAYOUT.log("scores", "{method}"),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked(
            "scores",
            rows=CLASSIFICATION.listed("slide", "label", "patient", "split"),
            copies=CHECKED.copy_of,
            rare_classes=CHECKED.rare_classes,
            classes=CHECKED.classes,
            group_name=CLASSIFICATION.setting("group_name"),
            item_name=CLASSIFICATION.setting("item_name"),
            caveats=CLASSIFIED.caveats,
            sensitivity=CLASSIFICATION.setting("sensitivity"),
            seed=STUDY.seed,
            **({"calibration": CHECKED.model.calibration} if CHECKED.model and CLASSIFICATION.methods else {}),
        ),
        untracked=untracked(parts=CLASSIFICATION.decided, folds=CLASSIFICATION.parts[:-1]),
    script:
        "../scripts/scores.py"


rule comparison:
    input:
        expand(LAYOUT.predictions, method=CLASSIFICATION.methods),
    output:
        LAYOUT.comparison,
    log:
        LAYOUT.log("comparison", ""),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("comparison", methods=list(CLASSIFICATION.methods)),
    script:
        "../scripts/comparison.py"


rule ablated:
    input:
        folds=LAYOUT.folds,
        pooled=CLASSIFIED.pooled_varied,
    output:
        LAYOUT.ablated,
    log:
        LAYOUT.log("ablated", "{method}/{setting}"),
    benchmark:
        LAYOUT.benchmark("ablated", "{method}/{setting}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=0.5),
        runtime=minutes(60, a_slide=0.1),
    params:
        tracked=tracked(
            "ablated",
            rows=CLASSIFICATION.labelled,
            classes=CHECKED.classes,
            parts=CLASSIFICATION.parts[:-1],
            grid=CLASSIFIED.varied,
            inner_folds=CLASSIFICATION.setting("inner_folds"),
            on_bad_slide=STUDY.on_bad_slide,
            seed=STUDY.seed,
        ),
    script:
        "../scripts/ablated.py"


rule ablation:
    input:
        predictions=lambda wildcards: TARGETS.of_varied(LAYOUT.predictions),
        tried=lambda wildcards: TARGETS.of_varied(LAYOUT.ablated),
    output:
        LAYOUT.ablation,
    log:
        LAYOUT.log("ablation", ""),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("ablation", tried=CLASSIFICATION.settings, own=lambda wildcards: CLASSIFICATION.candidates()),
    script:
        "../scripts/ablation.py"
