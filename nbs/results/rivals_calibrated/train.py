"""PC-CHSML as its authors describe it, on images with calibrated posture, beside DpA and the baseline on the same images.

    python nbs/results/rivals_calibrated/train.py MINI STARTS OUT

calibrates every image of the folder MINI (`dpa_synth data/mini --benchmark mini`) by its mask into OUT/upright, packs the result
at 64 pixels, and trains under three seeds what `dpa_tables --table 1 --alike --arch resnet18 --size 64 --recipe default --epochs 5
--warmup .5 --init STARTS` trains under those names. Given again, it continues.
"""
import sys
from pathlib import Path
from dpa_reid.all import *
from dpa_reid.data.images import open_images
from dpa_reid.rivals.pc_chsml import calibrate_set
from dpa_reid.study.rival_tables import rival_table

names = 'DpA', 'Baseline', 'PC-CHSML'

def calibrated(mini, out):
    "The pack of the calibrated images; made once."
    pack = out/'upright_64.pt'
    if pack.exists(): return pack
    if not (out/'upright'/'labels.csv').exists(): calibrate_set(read_manifest(mini/'labels.csv'), out/'upright', mini)
    pack_images(read_manifest(out/'upright'/'labels.csv'), pack, size=64)
    return pack

if __name__ == '__main__':
    mini, starts, out = map(Path, sys.argv[1:])
    images = open_images(calibrated(mini, out))
    recipe = default_recipe.replace(size=64, epochs=5, warmup=.5)
    study = Study(out/'study', images.df, recipe, 'resnet18', weights=starts, load_image=images.load_image,
                  checksum=images.checksum())
    table = rival_table('1', recipe, 'resnet18', alike=True)
    study.train([r for r in table if r.name.startswith(names)], range(3))
