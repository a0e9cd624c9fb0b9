"""One batch of pictures seen as figures see them: rounded to 8 bits, compared with the originals, and as features."""

from dataclasses import dataclass

from torch import Tensor

from ediffuser.evaluation.diversity import diversity, ssim_of_fills
from ediffuser.evaluation.features import Classifier, Features
from ediffuser.evaluation.groups import GroupClassifier
from ediffuser.evaluation.seam import border_steps
from ediffuser.evaluation.similarity import Distance, psnr_db, ssim


@dataclass(frozen=True)
class Sight:
    """The networks that look at pictures.

    Attributes:
        features: Whose features are compared over sets of pictures, or None.
        distance: The perceptual distance of two pictures, or None.
        groups: Who tells the group of a picture, or None.
    """

    features: Features | None
    distance: Distance | None
    groups: GroupClassifier | None = None

    def seen(self, pictures: Tensor, *, classified: bool) -> dict[str, Tensor]:
        """Features (B, D) of uint8 pictures (B, C, H, W); if asked for, probabilities (B, K) of its classes.

        Where there is who tells it, the group of each too, int64, shape (B,).
        """
        found = self.grouped(pictures)
        if self.features is None:
            return found
        if classified and isinstance(self.features, Classifier):
            features, probabilities = self.features.both(rgb(pictures))
            return found | {"features": features.cpu(), "probabilities": probabilities.cpu()}
        return found | {"features": self.features(rgb(pictures)).cpu()}

    def grouped(self, pictures: Tensor) -> dict[str, Tensor]:
        """The group of each picture, if there is who tells it."""
        return {} if self.groups is None else {"group": self.groups(rgb(pictures))}

    def compared(self, results: Tensor, originals: Tensor, holes: Tensor | None) -> dict[str, Tensor]:
        """Scores of each picture against its original.

        Args:
            results: uint8, shape (B, C, H, W).
            originals: uint8, the same shape.
            holes: 1 where the picture was painted, shape (B, 1, H, W), or None where there are no holes.

        Returns:
            Of each name a tensor of shape (B,); those that end in "_hole" are over the pixels of the hole alone.
        """
        one, other = rgb(results), rgb(originals)
        scores = {} if self.distance is None else {"distance": self.distance(one, other).cpu()}
        if holes is not None:
            scores |= {"psnr_hole": psnr_db(one, other, holes), "ssim_hole": ssim(one, other, holes)}
            scores |= {"step": border_steps(one, holes), "step_untouched": border_steps(other, holes)}
        return scores | {"psnr": psnr_db(one, other), "ssim": ssim(one, other)}

    def variety(self, variations: Tensor, holes: Tensor | None) -> dict[str, Tensor]:
        """How much several pictures of one observation differ: means over all pairs of them.

        Args:
            variations: uint8 RGB, shape (B, V, 3, H, W), V at least 2.
            holes: As of `compared`.

        Returns:
            Of each name a tensor of shape (B,).
        """
        region = "ssim" if holes is None else "ssim_hole"
        found = {f"variety_{region}": ssim_of_fills(variations, holes)}
        return (
            found if self.distance is None else found | {"variety_distance": diversity(variations, self.distance).cpu()}
        )


def rgb(pictures: Tensor) -> Tensor:
    """Grey pictures as RGB ones, (B, 3, H, W); RGB ones as they are."""
    return pictures.expand(-1, 3, -1, -1)
