"""The search of `study.recipe_search` on 500 drawings: the rows `drawings` of nbs/results/recipe_screening.csv.

    python nbs/results/recipe_screening.py OUT [PARTS]

draws the set of `recipe_sizes.py` with 500 training images and trains EfficientNet-Lite0 from ImageNet weights at 64 pixels:
the design, its folded half, and SGD in place of Adam (`design,folded,sgd`, or those in PARTS). What is finished in OUT is not
done again; OUT/recipe_screening.csv is written after each training.
"""
import sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.study.ablation import Study
from dpa_reid.study.recipe_search import search_factors, search_recipe, search_results, search_table
from dpa_reid.study.rows import AblationRow, AblationTable
from recipe_sizes import drawn

recipe = search_recipe(epochs=40)
# what the design leaves out: the other optimizer, everything else low
sgd = AblationTable('optimizers', tuple(AblationRow(f'SGD {r}', recipe=dict(optimizer='sgd', lr=r)) for r in (.01, .03, .1)))

def training_lists(parts):
    "Pairs of a row and its seed, for each part."
    tables = dict(design=search_table(recipe), folded=search_table(recipe, folded=True))
    for part in parts:
        if part == 'sgd': yield from ((row, seed) for seed in (0, 1) for row in sgd)
        else: yield from ((row, seed) for seed, row in enumerate(tables[part]))

def found(study):
    "Rows of the finished trainings, and of the network before any."
    rows = search_results(study, [search_table(recipe), search_table(recipe, folded=True)])
    own = [dict(row=row.name, seed=seed, mAP=study.run(row, seed).record['mAP'], torch=versions()['torch'])
           for seed in (0, 1) for row in sgd if study.run(row, seed).is_finished]
    before = Embedder.untrained(study.arch, size=recipe.size, progress=False).evaluate(study.df, study.protocol)
    own.append(dict(row='untrained', mAP=before.repeats[0].mAP, torch=versions()['torch']))
    return pd.concat([rows, pd.DataFrame(own)], ignore_index=True).assign(set='drawings')

if __name__ == '__main__':
    out, parts = Path(sys.argv[1]), (sys.argv[2:] or ['design,folded,sgd'])[0].split(',')
    data = read_manifest(drawn(out, 500)/'labels.csv')
    study = Study(out/'search', data, recipe, 'tf_efficientnet_lite0')
    for row, seed in training_lists(parts):
        study.train([row], (seed,))
        with atomic_path(out/'recipe_screening.csv') as tmp: found(study).to_csv(tmp, index=False)
