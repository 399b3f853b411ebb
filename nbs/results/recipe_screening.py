"""The search of `study.recipe_search` on photographs and on drawings: the scores of nbs/results/recipe_screening.csv.

    python nbs/results/recipe_screening.py OUT drawings|PHOTOGRAPHS [PARTS]

trains EfficientNet-Lite0 from ImageNet weights: the design, its folded half, and SGD in place of Adam (`design,folded,sgd`,
or those in PARTS). With the word `drawings` at 64 pixels on the set of `recipe_sizes.py` with 500 training images; with the
folder that holds gantry181 at 96 pixels on its half for choices. What is finished in OUT is not done again; the rows of a set
in OUT/recipe_screening.csv are written after each training, those of the other set stay.
"""
import sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.study.ablation import Study
from dpa_reid.study.recipe_search import search_recipe, search_results, search_table
from dpa_reid.study.rows import AblationRow, AblationTable
from dpa_reid.use.default_network import photo_halves
from recipe_sizes import drawn

arch = 'tf_efficientnet_lite0'
# what the design leaves out: the other optimizer, everything else low
sgd = AblationTable('optimizers', tuple(AblationRow(f'SGD {r}', recipe=dict(optimizer='sgd', lr=r)) for r in (.01, .03, .1)))

def study_of(data, out):
    "Name of a set, and the study of it."
    if data == 'drawings':
        df = read_manifest(drawn(out, 500)/'labels.csv')
        return 'drawings', Study(out/'search', df, search_recipe(epochs=30), arch)
    df = photo_halves(read_manifest(Path(data)/'gantry181'/'labels.csv'))[0].assign(split='train')
    recipe = search_recipe(P=16, K=2, size=96, epochs=30)
    return 'gantry181, half for choices', Study(out/'photographs', df, recipe, arch, protocol=held_out(.45))

def both_halves(recipe): return [search_table(recipe), search_table(recipe, folded=True)]

def training_lists(recipe, parts):
    "Pairs of a row and its seed, for each part."
    tables = dict(zip(('design', 'folded'), both_halves(recipe)))
    for part in parts:
        if part == 'sgd': yield from ((row, seed) for seed in (0, 1) for row in sgd)
        else: yield from ((row, seed) for seed, row in enumerate(tables[part]))

def untrained(study):
    "The mAP of the network before any training."
    network = Embedder.untrained(arch, size=study.recipe.size, progress=False)
    return network.evaluate(study.data, study.protocol).repeats[0].mAP

def found(study, before):
    "Rows of the finished trainings, and of the network before any."
    own = [dict(row=row.name, seed=seed, mAP=study.run(row, seed).record['mAP'], torch=versions()['torch'])
           for seed in (0, 1) for row in sgd if study.run(row, seed).is_finished]
    own.append(dict(row='untrained', mAP=before, torch=versions()['torch']))
    return pd.concat([search_results(study, both_halves(study.recipe)), pd.DataFrame(own)], ignore_index=True)

def save(file, name, rows):
    "Puts the rows of a set in place of those that were there."
    old = pd.read_csv(file) if file.exists() else pd.DataFrame(dict(set=[]))
    table = pd.concat([old[old.set != name], rows.assign(set=name)], ignore_index=True)
    table = table[['set', *table.columns.drop('set')]].round(5)
    with atomic_path(file) as tmp: table.to_csv(tmp, index=False)

if __name__ == '__main__':
    out, parts = Path(sys.argv[1]), (sys.argv[3:] or ['design,folded,sgd'])[0].split(',')
    name, study = study_of(sys.argv[2], out)
    before = untrained(study)
    for row, seed in training_lists(study.recipe, parts):
        study.train([row], (seed,))
        save(out/'recipe_screening.csv', name, found(study, before))
