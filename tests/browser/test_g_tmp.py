from tests.browser.test_every_page import *
from tests.browser.seeding import EMAIL
def test_g(browser, office):
    panel, agency = office
    s = Seen()
    page = browser.new_context().new_page()
    sign_in(page, panel, agency.email)
    for name, path in signed_in_pages(agency).items():
        if name.startswith("flavour"):
            look_at(page, panel.url + path if hasattr(panel, "url") else panel.address(path), name, s)
    print(s)
    assert not any(s.findings.values()) and not any(v > 0 for v in s.overflows.values()) and len(s.statuses) == 3
