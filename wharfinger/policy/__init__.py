"""The access list, as docker_auth defines it: rules compiled once, decided many times, explained, looked over. Pure.

Source: docker_auth's authz/acl.go, whose quirks are kept where a correct file depends on them.
"""

from wharfinger.policy.acl import DOCKER_AUTH, NO_MATCH, CompileError, Decision, Options, OptionsSource, Policy, compile_acl
from wharfinger.policy.rule import Fault, Request, RuleSource, RuleText

__all__ = [
    "DOCKER_AUTH",
    "NO_MATCH",
    "CompileError",
    "Decision",
    "Fault",
    "Options",
    "OptionsSource",
    "Policy",
    "Request",
    "RuleSource",
    "RuleText",
    "compile_acl",
]
