"""Pictures that priors are trained and judged on."""

from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist

__all__ = ["FASHION_MNIST_FOLDER", "fashion_mnist"]
