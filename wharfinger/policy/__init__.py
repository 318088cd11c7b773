"""The access list, as docker_auth defines it: rules compiled once, decided many times. Pure.

Source: docker_auth's authz/acl.go, whose quirks are kept where a correct file depends on them.
"""

from wharfinger.policy.acl import CompileError, Decision, Fault, Policy, Request, RuleSource, RuleText, compile_acl

__all__ = ["CompileError", "Decision", "Fault", "Policy", "Request", "RuleSource", "RuleText", "compile_acl"]
