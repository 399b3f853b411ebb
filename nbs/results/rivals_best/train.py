"""What we advise beside DpA on the same body: EfficientNet-Lite0 from the library's own network, by the default recipe.
Give the images (a pack or a CSV), the folder of runs, `default` or `few`, the size, the epochs and the warm-up."""
import sys
from dpa_reid.all import *
from dpa_reid.data.images import open_images
from dpa_reid.models.folder import default_model

if __name__ == '__main__':
    images, out, name, size, epochs, warmup = open_images(sys.argv[1]), *sys.argv[2:]
    recipe = dict(default=default_recipe, few=few_recipe)[name]
    recipe = recipe.replace(size=int(size), epochs=int(epochs), warmup=float(warmup))
    study = Study(out, images.df, recipe, 'tf_efficientnet_lite0', weights=default_model,
                  load_image=images.load_image, checksum=images.checksum())
    rows = [paper_tables['start'][n] for n in ('Baseline', 'DpA', 'DpA, from the identity')]
    study.train(rows, range(3))
