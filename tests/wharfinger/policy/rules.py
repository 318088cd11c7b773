"""Rules and requests of all kinds, for property tests."""

from ipaddress import ip_address

from hypothesis import strategies as st

from wharfinger.policy import Options, Request, RuleText
from wharfinger.policy.substitution import is_regex

TEXTS = st.text(alphabet="ab/.@", max_size=5)
LITERALS = st.sampled_from(["", "a", "b", "ab", "a/b", "a@b", "a.b"])
GLOBS = st.text(alphabet="ab/*?@", max_size=4).filter(lambda text: not is_regex(text)) | st.sampled_from(
    ["*", "a/*", "**", "[ab]", "[^a]*", "[", r"a\*"]
)
REGEXES = st.sampled_from(
    ["/a/", "/^a/", "/^a$/", "/.+/", "/.*/", "/^(a+)(b)?/", "/^(.+)@(.+)$/", "/[/]/", "//", "/a|^b$/", "/^(.*)/(.*)$/"]
)
FILLED = st.sampled_from(
    [
        "${account}",
        "${account}/*",
        "/^${account}/",
        "${account:1}",
        "${name:1}",
        "${Name:2}*",
        "${labels:g}",
        "${labels:g}/${labels:h}",
        "${type}${x}",
    ]
)
PATTERNS = LITERALS | GLOBS | REGEXES | FILLED
LABELS = st.dictionaries(st.sampled_from(["g", "h"]), st.lists(LITERALS | GLOBS | REGEXES, max_size=2).map(tuple), max_size=2)
ACTIONS = st.lists(st.sampled_from(["pull", "push", "*"]), max_size=3).map(tuple)
ADDRESSES = st.sampled_from(
    [None, ip_address("10.0.0.1"), ip_address("11.0.0.1"), ip_address("::1"), ip_address("::ffff:10.0.0.1")]
)
OPTIONS = st.builds(Options, union=st.booleans(), double_star=st.booleans(), account_lists=st.just(True))


def rules() -> st.SearchStrategy[list[RuleText]]:
    """Lists of rules, lists of accounts among them."""
    one = st.builds(
        RuleText,
        account=st.none() | PATTERNS,
        accounts=st.none() | st.none() | st.lists(PATTERNS, max_size=3).map(tuple),
        type=st.none() | st.sampled_from(["repository", "registry", "/re/"]),
        name=st.none() | PATTERNS,
        service=st.none() | st.sampled_from(["s", "*", "/^${account}$/"]),
        ip=st.none() | st.sampled_from(["10.0.0.0/8", "::1", "10.0.0.1"]),
        labels=st.none() | st.dictionaries(st.sampled_from(["g", "h"]), PATTERNS, max_size=2),
        actions=ACTIONS,
    )
    return st.lists(one, max_size=6)


def requests() -> st.SearchStrategy[Request]:
    """Requests that such rules may match."""
    return st.builds(
        Request,
        account=TEXTS | LITERALS,
        type=st.sampled_from(["repository", "registry"]),
        name=TEXTS | LITERALS,
        service=st.sampled_from(["", "s", "a"]),
        ip=ADDRESSES,
        actions=ACTIONS,
        labels=LABELS,
    )
