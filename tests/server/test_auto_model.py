"""Where no model is named, the server takes the shipped one that suits the hole, and says which."""

import numpy as np
import pytest
from http_tools import client_of, live_server, refused, submit
from photo_files import encoded

from ediffuser.samplers import Ddim
from ediffuser.server.catalogue import Catalogue
from ediffuser.server.messages import StubSettings, WorkerSettings
from ediffuser.server.painters import ModelPainter
from ediffuser.server.problems import ProblemError
from ediffuser.server.settings import ServerSettings


@pytest.fixture
def catalogue(two_models, tmp_path) -> Catalogue:
    return Catalogue(ServerSettings(data=tmp_path))


def test_it_can_be_chosen_and_says_what_it_does(catalogue):
    assert [model.name for model in catalogue.models()] == ["auto", "faces-16", "things-16"]
    card = catalogue.model("auto")
    assert card.default
    assert card.summary == "faces-16 where the hole touches a face, things-16 anywhere else."
    assert "licence is that of faces-16" in card.licence
    assert "licence is that of things-16" in card.licence
    assert not catalogue.model("faces-16").default


def test_what_suits_neither_model_is_refused(catalogue):
    catalogue.check("auto", Ddim(steps=5))
    with pytest.raises(ProblemError):
        catalogue.check("auto", Ddim(steps=5000))


def test_a_server_with_a_model_of_its_own_paints_with_that_one(two_models, tmp_path):
    models = Catalogue(ServerSettings(data=tmp_path, model="things-16")).models()
    assert [model.name for model in models if model.default] == ["things-16"]


def test_with_one_shipped_model_there_is_nothing_to_choose(tmp_path):
    (model,) = Catalogue(ServerSettings(data=tmp_path)).models()
    assert model.default
    assert ServerSettings(data=tmp_path).worker().model == model.name


def test_a_job_says_which_model_it_is_painted_with(two_models, tmp_path):
    photo, hole = np.full((40, 40, 3), 128, np.uint8), np.zeros((40, 40), np.uint8)
    hole[10:20, 10:20] = 255
    settings = ServerSettings(data=tmp_path / "data", stub=StubSettings(), grace=1.0)
    with live_server(settings) as live, client_of(live) as client:
        image = client.post("/api/images", files={"image": encoded(photo)}).json()["id"]
        for named, painted in ((None, "things-16"), ("auto", "things-16"), ("faces-16", "faces-16")):
            options = {} if named is None else {"model": named}
            assert submit(client, image, encoded(hole), options).json()["options"]["model"] == painted
        refused(submit(client, image, encoded(hole), {"model": "faces-17"}), 422, "unknown-model")


def test_the_worker_warms_all_that_may_suit(two_models, tmp_path):
    painter = ModelPainter(WorkerSettings(data=tmp_path, device="cpu"))
    assert sorted(painter._models) == ["faces-16", "things-16"]
    assert painter.framing("faces-16") == "aligned_faces"
