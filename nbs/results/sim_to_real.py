"The scores of nbs/results/sim_to_real.csv: networks that were trained on drawings, on photographs. Give the folder with gantry181 and rear200, and that of the study of mini from ImageNet weights."
import json, sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.use.default_network import photo_halves

names = {'none, triplet 16x4': 'ImageNet, then mini',
         'DpA after conv4_x, triplet 16x4': 'ImageNet, then mini, with DpA',
         'DpA(init=identity) after conv4_x, triplet 16x4': 'ImageNet, then mini, with DpA from the identity'}

def photographs(folder):
    "The sets of photographs, of gantry181 the half that no choice has seen."
    read = lambda name: read_manifest(Path(folder)/name/'labels.csv')
    return {'gantry181, unseen half': photo_halves(read('gantry181'))[1], 'rear200': read('rear200')}

def score_rows(sets, name, seed, embedder):
    "A row for each set."
    for s, df in sets.items():
        r = embedder.evaluate(df, cross_camera, name=name)
        yield dict(network=name, seed=seed, set=s, queries=len(r.queries), vehicles=r.intervals().n_identities,
                   **r.with_ends())

if __name__ == '__main__':
    sets, runs = photographs(sys.argv[1]), Path(sys.argv[2])/'runs'
    imagenet = Embedder.untrained('tf_efficientnet_lite0', size=128, progress=False)
    rows = [*score_rows(sets, 'ImageNet alone', '', imagenet)]
    rows += score_rows(sets, "ImageNet, then 24,000 drawings (the library's own)", 0, Embedder(progress=False))
    for file in sorted(runs.glob('*/run.json')):
        record = json.loads(file.read_text())
        if record.get('finished') and (name := names.get(record['label'])):
            rows += score_rows(sets, name, record['seed'], Embedder.load(file.parent, progress=False, cache=None))
    pd.DataFrame(rows).to_csv('nbs/results/sim_to_real.csv', index=False)
