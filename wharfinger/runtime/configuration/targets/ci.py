"""Targets that begin a run of another system: GitHub, GitLab, Jenkins, Woodpecker, Drone, Argo CD, Flux."""

import re
from typing import Final

from wharfinger.runtime.configuration.targets.reach import read_reach, read_templates, read_timeout, read_token
from wharfinger.runtime.settings import (
    ArgoCDTarget,
    DroneTarget,
    FluxTarget,
    GitHubTarget,
    GitLabTarget,
    JenkinsTarget,
    Secret,
    WoodpeckerTarget,
)
from wharfinger.runtime.yaml_nodes import Section

GITHUB: Final = "https://api.github.com"
GITLAB: Final = "https://gitlab.com"
MAX_PAYLOAD: Final = 10
"""Properties that GitHub takes in a client_payload."""
MAX_EVENT_TYPE: Final = 100
SECRET_MIN: Final = 16
_TWO_NAMES: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_LOWER: Final = {
    "image": "{{image}}",
    "repository": "{{repository}}",
    "tag": "{{tag}}",
    "digest": "{{digest}}",
    "account": "{{account}}",
    "delivery_id": "{{delivery_id}}",
}
_UPPER: Final = {
    "IMAGE": "{{image}}",
    "TAG": "{{tag}}",
    "DIGEST": "{{digest}}",
    "WHARFINGER_DELIVERY": "{{delivery_id}}",
}


def read_github(name: str, section: Section) -> GitHubTarget | None:
    """A workflow, or an event that workflows listen to."""
    reach = read_reach(section, default=GITHUB, remedy="write https://HOST/api/v3")
    token = read_token(section)
    repository = _matching(section, "repository", _TWO_NAMES, "is no OWNER/NAME", "write it as in the repository's URL")
    workflow = section.text("workflow", "") or ""
    ref = section.text("ref", "main") or ""
    event_type = section.text("event_type", "registry.push") or ""
    inputs = read_templates(section, "inputs", _LOWER)
    if workflow and section.has("event_type"):
        problem = "is for any workflow that listens, not for one by its name"
        section.fault("event_type", problem, "leave it out, or the workflow")
    if not workflow and section.has("ref"):
        section.fault("ref", "is for a workflow by its name", "name the workflow, or leave it out")
    if not 0 < len(event_type) <= MAX_EVENT_TYPE:
        section.fault("event_type", f"has not 1 to {MAX_EVENT_TYPE} characters", "choose a shorter name")
    if not workflow and len(inputs) > MAX_PAYLOAD:
        section.fault("inputs", f"has more than {MAX_PAYLOAD} names, which GitHub does not take", "leave some out")
    follow, timeout_s = section.flag("follow", default=True), read_timeout(section)
    section.done()
    if reach is None or token is None:
        return None
    return GitHubTarget(
        name=name,
        reach=reach,
        token=token,
        repository=repository,
        workflow=workflow,
        ref=ref,
        event_type=event_type,
        inputs=inputs,
        follow=follow,
        timeout_s=timeout_s,
        line=section.line,
    )


def read_gitlab(name: str, section: Section) -> GitLabTarget | None:
    """A trigger, and the token that may follow it."""
    reach = read_reach(section, default=GITLAB)
    token, read = read_token(section), read_token(section, "read_token", required=False)
    project = section.text("project", required=True) or ""
    ref = section.text("ref", "main") or ""
    inputs = read_templates(section, "inputs", {}, with_id=False)
    variables = read_templates(section, "variables", _UPPER, with_id=not section.has("inputs"))
    timeout_s = read_timeout(section)
    section.done()
    if reach is None or token is None:
        return None
    return GitLabTarget(
        name=name,
        reach=reach,
        token=token,
        read_token=read,
        project=project,
        ref=ref,
        variables=variables,
        inputs=inputs,
        timeout_s=timeout_s,
        line=section.line,
    )


def read_jenkins(name: str, section: Section) -> JenkinsTarget | None:
    """A job, and whose token may build it."""
    reach, token = read_reach(section), read_token(section)
    user, job = section.text("user", required=True) or "", section.text("job", required=True) or ""
    if ":" in user:
        section.fault("user", "has a colon, which no user of HTTP has", "write the user's id")
    if not all(part and part != "job" for part in job.split("/")):
        section.fault("job", f"{job!r} is no full name of a job", "write it as FOLDER/NAME, without the job/ of its URL")
    parameters, timeout_s = read_templates(section, "parameters", _UPPER), read_timeout(section)
    section.done()
    if reach is None or token is None:
        return None
    return JenkinsTarget(
        name=name,
        reach=reach,
        user=user,
        token=token,
        job=job,
        parameters=parameters,
        timeout_s=timeout_s,
        line=section.line,
    )


def read_woodpecker(name: str, section: Section) -> WoodpeckerTarget | None:
    """A repository by its number, and a branch."""
    reach, token = read_reach(section), read_token(section)
    remedy = "write the number that Woodpecker's own URLs have: /repos/17"
    repository = _matching(section, "repository", _NUMBER, "is no repository's number", remedy)
    branch = section.text("branch", "main") or ""
    variables, timeout_s = read_templates(section, "variables", _UPPER), read_timeout(section)
    section.done()
    if reach is None or token is None:
        return None
    return WoodpeckerTarget(
        name=name,
        reach=reach,
        token=token,
        repository=repository,
        branch=branch,
        variables=variables,
        timeout_s=timeout_s,
        line=section.line,
    )


def read_drone(name: str, section: Section) -> DroneTarget | None:
    """A repository by its name."""
    reach, token = read_reach(section), read_token(section)
    repository = _matching(section, "repository", _TWO_NAMES, "is no NAMESPACE/NAME", "write it as in Drone's URL")
    branch = section.text("branch", "") or ""
    parameters, timeout_s = read_templates(section, "parameters", _UPPER), read_timeout(section)
    section.done()
    if reach is None or token is None:
        return None
    return DroneTarget(
        name=name,
        reach=reach,
        token=token,
        repository=repository,
        branch=branch,
        parameters=parameters,
        timeout_s=timeout_s,
        line=section.line,
    )


def read_argocd(name: str, section: Section) -> ArgoCDTarget | None:
    """An application."""
    reach, token = read_reach(section), read_token(section)
    application = _matching(section, "application", _NAME, "is no name of an application", "write it as `argocd app list` does")
    namespace = section.text("namespace", "") or ""
    revision, prune = section.text("revision", "") or "", section.flag("prune")
    timeout_s = read_timeout(section)
    section.done()
    if reach is None or token is None:
        return None
    return ArgoCDTarget(
        name=name,
        reach=reach,
        token=token,
        application=application,
        namespace=namespace,
        revision=revision,
        prune=prune,
        timeout_s=timeout_s,
        line=section.line,
    )


def read_flux(name: str, section: Section) -> FluxTarget | None:
    """A receiver of type generic-hmac."""
    reach = read_reach(section, whole=True, remedy="write https://HOST/hook/… as the receiver's status has it")
    secret = section.secret("secret", required=True)
    if secret is not None and len(secret) < SECRET_MIN:
        problem = f"holds a secret of less than {SECRET_MIN} characters"
        section.fault(section.secret_key("secret"), problem, "make one with `openssl rand -hex 32`")
    section.done()
    if reach is None or secret is None:
        return None
    return FluxTarget(name=name, reach=reach, secret=Secret(secret), line=section.line)


def _matching(section: Section, key: str, pattern: re.Pattern[str], problem: str, remedy: str) -> str:
    found = section.text(key, required=True) or ""
    if found and pattern.fullmatch(found) is None:
        section.fault(key, f"{found!r} {problem}", remedy)
    return found
