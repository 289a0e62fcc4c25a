Feature: Users' traffic moves
  T_open is written to the record before the first deed that can bring users to the dest.

  Background:
    Given the source is frozen

  Rule: Nobody is led to a closed door

    @gate
    Scenario: The dest answers strangers
      Given the dest serves the verification data set
      When the dest's door is opened
      Then a stranger at the dest's address is served

  @by_dns
  Rule: By DNS, the public name leads to the dest

    @gate
    Scenario: Every name server answers the dest's address
      Given the dest serves the verification data set
      When the public name is pointed at the dest
      Then every name server answers the dest's address

  @by_proxy
  Rule: By proxy, the source forwards to the dest

    Scenario: The dest knows its clients behind the source
      When the dest's proxy is told to trust the source's
      Then the dest's proxy takes clients' addresses from the source only

    @gate
    Scenario: The source forwards every path to the dest
      Given the dest serves the verification data set
      When the source's proxy is led to the dest
      Then every location of the source's proxy leads to the dest by verified TLS
      And the change of the source's proxy is the planned one
      And what users ask of the source arrives on the dest

    @probe
    Scenario: Uploads, series and websockets pass
      When the verification user uploads, adds to a series and opens a websocket as users do
      Then the upload is accepted as a whole
      And the points are accepted by the series server
      And the websocket is opened

    Scenario: The client's address is preserved
      Then the dest sees the client's address, not the source's

  Rule: From here on the dest is the core's home

    Scenario: The dest core starts at boot
      When the dest core is enabled
      Then the dest core starts at boot
