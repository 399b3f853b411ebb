"""The networks from which the runs of the studies on drawings start: bodies without attention, trained on 400 vehicles that
are in no other set. Give their architectures, by default resnet18; models/starts/ARCH is written for each."""
import sys
from dpa_reid.all import *

recipe = scratch_recipe.replace(size=64)

# a transformer learns positions for images of one size
options = dict(vit_tiny_patch16_224=dict(img_size=64, patch_stride=12), convnext_atto=dict(last_stride=2))

def start(arch):
    "Trains one network and writes its model folder."
    # as long as the two cores allowed
    how = recipe.replace(epochs=30 if arch == 'resnet18' else 10)
    dls = how.dls(read_manifest('data/start/labels.csv'))
    learn = reid_learner(dls, arch, recipe=how, pretrained=False, **options.get(arch, {}))
    learn.fit_recipe(eval_every=10)
    learn.save_model(f'models/starts/{arch}')

if __name__ == '__main__':
    synth_uav('data/start', n_ids=400, n_imgs=12, n_cams=4, size=96, seed=202, altitude=(20, 150), train_frac=.9, masks=False)
    for arch in sys.argv[1:] or ['resnet18']: start(arch)
