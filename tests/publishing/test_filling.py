"""The form: filled in, previewed, saved."""

from __future__ import annotations

import pytest

from tests.panel import ALICE, Panel
from tests.publishing import sample

FORM = f"/applications/demo/addons/{sample.NAME}/"


@pytest.fixture
def site(panel: Panel) -> Panel:
    sample.settle(panel)
    sample.install(panel)
    return panel


def test_smoke(site: Panel) -> None:
    alice = site.client_of(ALICE)
    for path in (
        FORM,
        "/applications/demo/addons/",
        FORM + "history/",
        FORM + "version/",
        FORM + "remove/",
        "/applications/demo/publish/",
        f"/sites/demo/forms/{sample.NAME}/",
        "/sites/demo/publish/",
        "/sites/demo/",
        "/applications/demo/addons/install/django/",
    ):
        page = alice.get(path)
        assert page.status_code == 200, (path, page.text[-1500:])
        print(path, sample.words_of(page.text)[150:1500])
    answer = alice.post(
        FORM,
        data=sample.ENTERED
        | {"act": "preview", "seen": sample.hidden(alice.get(FORM).text, "seen")},
    )
    print(sample.words_of(answer.text)[150:3000])
