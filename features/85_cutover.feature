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

  Rule: From here on the dest is the core's home

    Scenario: The dest core starts at boot
      When the dest core is enabled
      Then the dest core starts at boot
