Feature: Users are served by the dest
  Everything is asked by the public name, as users ask.

  Scenario: The verification user finds everything under the public name
    Then the verification data set is served under the public name

  Scenario: The documented health checks pass
    Then the documented health checks pass, and their stronger forms

  Scenario: The platform lists the core at its new address
    Then the platform lists the core once, under its public URL
    And the core's row in the platform carries the dest's address

  Scenario: No core can come back on the source
    Then the source is still frozen

  @repeat
  Scenario: Users lost nothing they were told was saved
    When the client of the public name is ended
    Then every write that it was told was saved is on the dest
    And no core answered it but the one that served then

  Scenario: The outage was no longer than planned
    Then the client saw the outage that the marks tell of, or it is told what it did not see
    And the outage was no longer than planned, or it is told by how much
