Feature: A client of the public name is at work
  From here until users are served by the dest, a client outside both hosts reads and writes as users do, as the verification user.
  It follows the public name as a resolver does, and keeps a ledger of every write that it was told was saved.

  Scenario: A client reads and writes under the public name
    When a client of the public name is begun
    Then the client's writes are saved
    And the client's reads are answered
