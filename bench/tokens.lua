-- Asks for one token after the other, for so many repositories in turn: wrk -s tokens.lua URL -- REPOSITORIES
local repositories, sent = 1, 0

function init(args)
  repositories = tonumber(args[1])
end

function request()
  sent = sent + 1
  local scope = "repository:team/app" .. (sent % repositories) .. ":pull,push"
  return wrk.format("GET", "/auth?service=registry&scope=" .. scope)
end
