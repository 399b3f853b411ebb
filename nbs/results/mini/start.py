"The network from which all runs of this study start: a ResNet-18 without attention, trained on 400 vehicles that are in no other set."
from dpa_reid.all import *
from dpa_reid.cli import train_run

if __name__ == '__main__':
    synth_uav('data/start', n_ids=400, n_imgs=12, n_cams=4, size=96, seed=202, altitude=(20, 150), train_frac=.9, masks=False)
    train_run(read_manifest('data/start/labels.csv'), 'models/start', 'resnet18', None, scratch_recipe.replace(size=64, epochs=30))
