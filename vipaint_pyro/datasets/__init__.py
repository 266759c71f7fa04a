"""Pictures that priors are trained and judged on."""

from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.datasets.photos import photos

__all__ = ["FASHION_MNIST_FOLDER", "fashion_mnist", "photos"]
