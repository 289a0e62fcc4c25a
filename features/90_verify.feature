Feature: Users are served by the dest
  Everything is asked by the public name, as users ask.

  Scenario: The client of the public name is served by the dest
    Then the client's writes are saved by the dest

  Scenario: The verification user finds everything under the public name
    Then the verification data set is served under the public name

  Scenario: The documented health checks pass
    Then the documented health checks pass

  Scenario: The stronger health checks pass
    The documented ones pass on a core that has lost its platform, its events or its series.

    Then the stronger health checks pass

  Scenario: Rows, files and the API agree
    Then rows, files and the API tell the same attachments of the verification user

  Scenario: The core's own integrity check finds nothing new
    Then the core's own integrity check finds on the dest what it found on the source

  @probe
  Scenario: Requests arrive on the dest and not on the source
    When the verification user asks for what nobody else asks for
    Then the request is in the dest's audit
    And the request is not in the source's audit

  @by_dns
  @probe
  Scenario: The public name leads past the source
    When the verification user asks for what nobody else asks for
    Then the request is in the dest's audit
    And the source's proxy has not seen the request

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

  Scenario: Reads are as fast as before
    Without the planner's statistics a core of many rows answers late for a minute.

    Then the client's reads are answered as fast as before the freeze, or it is told how fast
